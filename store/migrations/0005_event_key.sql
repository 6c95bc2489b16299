-- What makes an event the same one, apart from the events themselves: a table that is cut into pieces by time can only
-- promise uniqueness within a piece. The key is small, never cut and never thinned out, so that an event counts once for ever.

-- Of several centres in one system two may each have a source "queue" with an event "1": the centre is part of the key.

create table event_key (
    centre       text        not null,
    source       text        not null,
    event_id     text        not null,
    content_hash bytea       not null,
    arrived_at   timestamptz not null,                    -- of the first to arrive, which stands: its row in event
    primary key (centre, source, event_id)
);
insert into event_key (centre, source, event_id, content_hash, arrived_at)
    select centre, source, event_id, content_hash, greatest(received_at, occurred_at) from event;

-- Pieces are cut by arrival on the system's clock: a late event lies in the newest piece, never in one that is packed, and
-- nothing that occurred at some moment lies in a piece that ends more than a day before it (the door refuses what is over a
-- day in the future).
create sequence event_seq;
select setval('event_seq', 1 + coalesce(max(seq), 0), false) from event;
alter table event
    drop constraint event_pkey,
    drop column content_hash,
    alter column seq drop identity,
    alter column seq set default nextval('event_seq'),
    add column arrived_at timestamptz;
update event set arrived_at = greatest(received_at, occurred_at);
alter table event alter column arrived_at set default now(), alter column arrived_at set not null;

-- Of events at windows only those that open and close a desk are ever asked for by window.
drop index event_window;
create index event_desk on event (centre, window_id, occurred_at) where kind like 'window.%';

-- Between which arrivals a case's events lie; null in both: anywhere. Reading a case touches these pieces alone.
alter table case_state add column events_from timestamptz, add column events_until timestamptz;
update case_state c set events_from = e.first, events_until = e.last
  from (select centre, case_id, min(arrived_at) as first, max(arrived_at) as last from event
         where case_id is not null group by centre, case_id) e
 where (c.centre, c.case_id) = (e.centre, e.case_id);
