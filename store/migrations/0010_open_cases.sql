-- How many cases are open at each window, kept beside the cases: counting a million of them for every look at a wall would
-- cost it 0.1 s and more each time. Rows are differences and are only ever added, in the transaction that opens or stops the
-- case: no two writers wait for one another, and a transaction that is lost takes its differences along. The sum is exact at any
-- moment; upkeep puts the rows of a window together.
create table open_case (
    centre       text        not null,
    window_id    text        not null,                   -- '' = at no window
    number       int         not null
);
create index open_case_centre on open_case (centre);

create function open_cases_added() returns trigger language plpgsql as $$
begin
    insert into open_case select centre, coalesce(window_id, ''), count(*) from added where stopped_at is null group by 1, 2;
    return null;
end $$;
create trigger open_cases_added after insert on case_state referencing new table as added
    for each statement execute function open_cases_added();

create function open_cases_removed() returns trigger language plpgsql as $$
begin
    insert into open_case select centre, coalesce(window_id, ''), -count(*) from removed where stopped_at is null group by 1, 2;
    return null;
end $$;
create trigger open_cases_removed after delete on case_state referencing old table as removed
    for each statement execute function open_cases_removed();

-- By row, because hardly any judging changes it: the condition costs nothing, a table of all changed rows would.
create function open_case_changed() returns trigger language plpgsql as $$
begin
    if old.stopped_at is null then
        insert into open_case values (old.centre, coalesce(old.window_id, ''), -1);
    end if;
    if new.stopped_at is null then
        insert into open_case values (new.centre, coalesce(new.window_id, ''), 1);
    end if;
    return null;
end $$;
create trigger open_case_changed after update on case_state for each row
    when ((old.stopped_at is null) <> (new.stopped_at is null) or old.window_id is distinct from new.window_id
          or old.centre <> new.centre)
    execute function open_case_changed();

create function open_cases_emptied() returns trigger language plpgsql as $$
begin
    delete from open_case;
    return null;
end $$;
create trigger open_cases_emptied after truncate on case_state for each statement execute function open_cases_emptied();

-- Nobody writes cases before this is committed: the triggers' lock keeps writers out.
insert into open_case select centre, coalesce(window_id, ''), count(*) from case_state where stopped_at is null group by 1, 2;

-- It was for that count only, and each judging of an open case wrote an entry of it.
drop index case_window;
-- A judged row's next version finds room in its own page, instead of making another one dirty.
alter table case_state set (fillfactor = 85);
