-- When to look next whether an answer to a finding is late, and of which steps somebody was reminded already. Null: nothing is
-- awaited, or nobody wants to be reminded.
alter table finding add column remind_at timestamptz;
alter table finding add column reminded text[] not null default '{}';
create index finding_remind on finding (centre, remind_at) where remind_at is not null;
