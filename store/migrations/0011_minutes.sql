-- Minutes of departments and centres, so that each has the whole row minute → hour → day; days of events without windows.

create table presence_minute_department_rolled (
    bucket       timestamptz not null,
    centre       text        not null,
    department   text,
    expected     bigint      not null,
    valid        bigint      not null,
    seen         bigint      not null
) partition by range (bucket);
create table presence_minute_department_rolled_rest partition of presence_minute_department_rolled default;
create index presence_minute_department_rolled_centre on presence_minute_department_rolled (centre, bucket);
-- As far back as raw rows are kept; where continuous aggregates bear the names there is no line, and nothing to do.
insert into presence_minute_department_rolled
    select date_trunc('minute', at, 'UTC'), centre, department, sum(looks_expected), sum(looks_valid), sum(looks_seen)
      from observation
     where kind = 'post.summary' and at < (select upto from rollup where name = 'presence')
     group by 1, 2, 3;

-- A year of a centre is some thousand rows of these, where with windows it is a hundred thousand.
create table event_day_centre_rolled (
    bucket       timestamptz not null,
    centre       text        not null,
    kind         text        not null,
    number       bigint      not null,
    primary key (centre, kind, bucket)
);
insert into event_day_centre_rolled select bucket, centre, kind, sum(number) from event_day_rolled group by 1, 2, 3;
create index event_day_rolled_window on event_day_rolled (centre, window_id, bucket);

do $$
declare
  found int;
  name  text;
  place text;
  last  timestamptz;
  cut   timestamptz;
begin
  if not exists (select 1 from pg_extension where extname = 'timescaledb') then return; end if;
  if current_setting('timescaledb.license', true) is distinct from 'timescale' then return; end if;
  -- A database that has added up by itself so far goes on doing so.
  execute $q$select count(*) from timescaledb_information.continuous_aggregates where view_name = 'presence_day_centre'$q$ into found;
  if found = 0 then return; end if;

  -- Hours of departments stood on the rows; now they stand on minutes, and what an aggregate stands on cannot be changed.
  -- Their sums reach further back than any row: they are put by, and into the new aggregates as they are, up to a day that
  -- is added up anew afterwards (store/aggregates.py), because only a refresh that finds rows makes the ones before it seen.
  select max(at) into last from observation where kind = 'post.summary' and at < now() - interval '4 days';
  cut := date_trunc('day', coalesce(last, now() - interval '4 days'), 'Asia/Shanghai');
  if cut <= (select min(at) from observation) then cut := cut + interval '1 day'; end if;
  foreach name in array array['presence_day_centre', 'presence_day_department', 'presence_hour_centre', 'presence_hour_department'] loop
    execute format('create temporary table %I on commit drop as select * from %I where bucket < %L', name || '_before', name, cut);
    execute format('drop materialized view %I', name);
  end loop;

  execute $q$create materialized view presence_minute_department
    with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket(interval '1 minute', at) as bucket, centre, department,
           sum(looks_expected) as expected, sum(looks_valid) as valid, sum(looks_seen) as seen
      from observation where kind = 'post.summary' group by 1, 2, 3 with no data$q$;
  execute $q$create materialized view presence_minute_centre
    with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket(interval '1 minute', bucket) as bucket, centre,
           sum(expected) as expected, sum(valid) as valid, sum(seen) as seen
      from presence_minute_department group by 1, 2 with no data$q$;
  execute $q$create materialized view presence_hour_department
    with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket(interval '1 hour', bucket) as bucket, centre, department,
           sum(expected) as expected, sum(valid) as valid, sum(seen) as seen
      from presence_minute_department group by 1, 2, 3 with no data$q$;
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

  foreach name in array array['presence_day_centre', 'presence_day_department', 'presence_hour_centre', 'presence_hour_department'] loop
    execute $q$select format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)
      from timescaledb_information.continuous_aggregates where view_name = $1$q$ into place using name;
    execute format('insert into %s select * from %I', place, name || '_before');
  end loop;
end $$;
