-- The inspectors' list: newest first, page after page, whatever its filters leave out on the way.
create index finding_issued on finding (centre, issued_at desc, finding_id desc);
