-- Which department a window belongs to, and belonged to: written when a centre file is taken into use. An observation keeps
-- the one of its time, so that a window that changes hands takes no history with it.
create table window_department (
    centre       text        not null,
    window_id    text        not null,
    department   text        not null,
    since        timestamptz not null,
    until        timestamptz,
    primary key (centre, window_id, since)
);
create unique index window_department_now on window_department (centre, window_id) where until is null;

alter table observation add column department text;

-- What is added up where no continuous aggregate does it: on plain PostgreSQL, and on TimescaleDB's Apache build. Filled by
-- the upkeep; views.sql puts what is not added up yet beside it.
create table presence_minute_rolled (
    bucket       timestamptz not null,
    centre       text        not null,
    window_id    text,
    camera       text        not null,
    post         text,
    expected     bigint      not null,
    valid        bigint      not null,
    seen         bigint      not null
) partition by range (bucket);
create table presence_minute_rolled_rest partition of presence_minute_rolled default;
create index presence_minute_rolled_window on presence_minute_rolled (centre, window_id, bucket);
create table presence_hour_rolled (like presence_minute_rolled including all);
create index presence_hour_rolled_centre on presence_hour_rolled (centre, bucket);
create table presence_day_rolled (like presence_hour_rolled including all);
create table presence_hour_department_rolled (
    bucket       timestamptz not null,
    centre       text        not null,
    department   text,
    expected     bigint      not null,
    valid        bigint      not null,
    seen         bigint      not null
);
create index presence_hour_department_rolled_centre on presence_hour_department_rolled (centre, bucket);
create table presence_day_department_rolled (like presence_hour_department_rolled including all);

-- Events by the day and hour they occurred in. Counted once each, in the order of arrival, so that late ones need no second
-- look; the same on every ground, for a continuous aggregate could only count by arrival.
create table event_hour_rolled (
    bucket       timestamptz not null,
    centre       text        not null,
    kind         text        not null,
    window_id    text        not null,                    -- '' = at no window
    number       bigint      not null,
    primary key (centre, kind, window_id, bucket)
);
create table event_day_rolled (like event_hour_rolled including all);

-- How far each is added up: what arrived or was observed before upto; whole days before days_upto.
create table rollup (
    name         text        primary key,
    upto         timestamptz not null,
    days_upto    timestamptz not null
);
-- Hours into which something came after they were added up.
create table rollup_late (
    centre       text        not null,
    hour         timestamptz not null,
    primary key (centre, hour)
);

do $$
declare found int;
begin
  if not exists (select 1 from pg_extension where extname = 'timescaledb') then return; end if;
  if current_setting('timescaledb.license', true) is distinct from 'timescale' then return; end if;
  -- A database that has added up by itself so far goes on doing so.
  execute $q$select count(*) from timescaledb_information.continuous_aggregates where view_name = 'presence_day'$q$ into found;
  if found = 0 then return; end if;

  execute $q$create materialized view presence_hour_department
    with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket(interval '1 hour', at) as bucket, centre, department,
           sum(looks_expected) as expected, sum(looks_valid) as valid, sum(looks_seen) as seen
      from observation where kind = 'post.summary' group by 1, 2, 3 with no data$q$;
  execute $q$create materialized view presence_hour_centre
    with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket(interval '1 hour', bucket) as bucket, centre,
           sum(expected) as expected, sum(valid) as valid, sum(seen) as seen
      from presence_hour_department group by 1, 2 with no data$q$;
  execute $q$create materialized view presence_day_department
    with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket(interval '1 day', bucket, 'Asia/Shanghai') as bucket, centre, department,
           sum(expected) as expected, sum(valid) as valid, sum(seen) as seen
      from presence_hour_department group by 1, 2, 3 with no data$q$;
  execute $q$create materialized view presence_day_centre
    with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket(interval '1 day', bucket, 'Asia/Shanghai') as bucket, centre,
           sum(expected) as expected, sum(valid) as valid, sum(seen) as seen
      from presence_hour_centre group by 1, 2 with no data$q$;

  -- A week back, so that what comes late is added up again; always less than what retention leaves of the source (the
  -- program refuses to keep less than eight days). Hours and days are kept for ever.
  execute $q$select remove_continuous_aggregate_policy('presence_minute'), remove_continuous_aggregate_policy('presence_hour'),
    remove_continuous_aggregate_policy('presence_day')$q$;
  execute $q$select
    add_continuous_aggregate_policy('presence_minute', start_offset => interval '7 days', end_offset => interval '2 minutes',
      schedule_interval => interval '1 minute'),
    add_continuous_aggregate_policy('presence_hour', start_offset => interval '7 days', end_offset => interval '2 hours',
      schedule_interval => interval '30 minutes'),
    add_continuous_aggregate_policy('presence_day', start_offset => interval '30 days', end_offset => interval '2 days',
      schedule_interval => interval '6 hours'),
    add_continuous_aggregate_policy('presence_hour_department', start_offset => interval '7 days',
      end_offset => interval '2 hours', schedule_interval => interval '30 minutes'),
    add_continuous_aggregate_policy('presence_hour_centre', start_offset => interval '30 days',
      end_offset => interval '3 hours', schedule_interval => interval '30 minutes'),
    add_continuous_aggregate_policy('presence_day_department', start_offset => interval '30 days',
      end_offset => interval '2 days', schedule_interval => interval '6 hours'),
    add_continuous_aggregate_policy('presence_day_centre', start_offset => interval '30 days',
      end_offset => interval '2 days', schedule_interval => interval '6 hours')$q$;
end $$;
