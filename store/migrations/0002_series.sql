-- Raw series: the only tables that a retention may touch. Hypertables where TimescaleDB is, ordinary tables elsewhere.

create table observation (
    centre         text        not null,
    at             timestamptz not null,
    observation_id text        not null,
    kind           text        not null,                 -- post.state | post.summary | camera.state
    camera         text        not null,
    window_id      text,
    post           text,
    state          text        not null,
    reason         text,
    since          timestamptz,
    until          timestamptz,
    score          double precision,
    looks_expected int         not null default 0,
    looks_valid    int         not null default 0,
    looks_seen     int         not null default 0,
    method         text,
    received_at    timestamptz not null,
    -- A hypertable wants its time column in every unique index.
    primary key (centre, at, observation_id)
);
create index observation_post on observation (centre, camera, post, at desc);

create table metric (
    centre         text        not null,
    at             timestamptz not null,
    name           text        not null,
    subject        text        not null default '',
    value          double precision not null,
    primary key (centre, name, subject, at)
);

do $$ begin
  if not exists (select 1 from pg_extension where extname = 'timescaledb') then return; end if;
  execute $q$select create_hypertable('observation', by_range('at', interval '1 day'), if_not_exists => true)$q$;
  execute $q$select create_hypertable('metric', by_range('at', interval '7 days'), if_not_exists => true)$q$;
  if current_setting('timescaledb.license', true) is distinct from 'timescale' then return; end if;

  execute $q$alter table observation set (timescaledb.enable_columnstore,
    timescaledb.segmentby = 'centre, camera', timescaledb.orderby = 'at desc')$q$;
  execute $q$call add_columnstore_policy('observation', after => interval '7 days', if_not_exists => true)$q$;
  execute $q$alter table metric set (timescaledb.enable_columnstore,
    timescaledb.segmentby = 'centre, name', timescaledb.orderby = 'at desc')$q$;
  execute $q$call add_columnstore_policy('metric', after => interval '30 days', if_not_exists => true)$q$;

  -- Real-time: the newest bucket is not missing. start_offset stays below what retention drops, or a refresh would
  -- wipe the aggregate of dropped rows.
  execute $q$create materialized view presence_minute
    with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket(interval '1 minute', at) as bucket, centre, window_id, camera, post,
           sum(looks_expected) as expected, sum(looks_valid) as valid, sum(looks_seen) as seen
      from observation where kind = 'post.summary'
     group by 1, 2, 3, 4, 5 with no data$q$;
  execute $q$create materialized view presence_hour
    with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket(interval '1 hour', bucket) as bucket, centre, window_id, camera, post,
           sum(expected) as expected, sum(valid) as valid, sum(seen) as seen
      from presence_minute group by 1, 2, 3, 4, 5 with no data$q$;
  execute $q$create materialized view presence_day
    with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket(interval '1 day', bucket, 'Asia/Shanghai') as bucket, centre, window_id, camera, post,
           sum(expected) as expected, sum(valid) as valid, sum(seen) as seen
      from presence_hour group by 1, 2, 3, 4, 5 with no data$q$;
  execute $q$select add_continuous_aggregate_policy('presence_minute', start_offset => interval '1 day',
    end_offset => interval '2 minutes', schedule_interval => interval '1 minute', if_not_exists => true)$q$;
  execute $q$select add_continuous_aggregate_policy('presence_hour', start_offset => interval '3 days',
    end_offset => interval '2 hours', schedule_interval => interval '30 minutes', if_not_exists => true)$q$;
  execute $q$select add_continuous_aggregate_policy('presence_day', start_offset => interval '7 days',
    end_offset => interval '2 days', schedule_interval => interval '6 hours', if_not_exists => true)$q$;

  execute $q$select add_retention_policy('observation', drop_after => interval '35 days', if_not_exists => true)$q$;
  execute $q$select add_retention_policy('metric', drop_after => interval '400 days', if_not_exists => true)$q$;
  execute $q$select add_retention_policy('presence_minute', drop_after => interval '90 days', if_not_exists => true)$q$;
end $$;

-- The same names without the extension or its licence. Days are China's (UTC+8, no daylight saving).
do $$ begin
  if to_regclass('presence_minute') is not null then return; end if;
  execute $q$create view presence_minute as
    select date_bin(interval '1 minute', at, timestamptz '2000-01-01 00:00+08') as bucket, centre, window_id, camera, post,
           sum(looks_expected) as expected, sum(looks_valid) as valid, sum(looks_seen) as seen
      from observation where kind = 'post.summary' group by 1, 2, 3, 4, 5$q$;
  execute $q$create view presence_hour as
    select date_bin(interval '1 hour', at, timestamptz '2000-01-01 00:00+08') as bucket, centre, window_id, camera, post,
           sum(looks_expected) as expected, sum(looks_valid) as valid, sum(looks_seen) as seen
      from observation where kind = 'post.summary' group by 1, 2, 3, 4, 5$q$;
  execute $q$create view presence_day as
    select date_bin(interval '1 day', at, timestamptz '2000-01-01 00:00+08') as bucket, centre, window_id, camera, post,
           sum(looks_expected) as expected, sum(looks_valid) as valid, sum(looks_seen) as seen
      from observation where kind = 'post.summary' group by 1, 2, 3, 4, 5$q$;
end $$;
