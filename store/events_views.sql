-- Events by the hour and day they occurred in (days are China's), on every ground: what is counted, and what has arrived since.

create or replace view event_hour as
  select bucket, centre, kind, window_id, sum(number)::bigint as number from (
    select bucket, centre, kind, window_id, number from event_hour_rolled
    union all
    select date_trunc('hour', occurred_at, 'UTC'), centre, kind, coalesce(window_id, ''), 1
      from event where arrived_at >= coalesce((select upto from rollup where name = 'events'), '-infinity')
       and arrived_at <= 'infinity'
  ) as counted group by 1, 2, 3, 4;

create or replace view event_day as
  select bucket, centre, kind, window_id, sum(number)::bigint as number from (
    select bucket, centre, kind, window_id, number from event_day_rolled
    union all
    select date_trunc('day', occurred_at, 'Asia/Shanghai'), centre, kind, coalesce(window_id, ''), 1
      from event where arrived_at >= coalesce((select upto from rollup where name = 'events'), '-infinity')
       and arrived_at <= 'infinity'
  ) as counted group by 1, 2, 3, 4;

create or replace view event_day_centre as
  select bucket, centre, kind, sum(number)::bigint as number from (
    select bucket, centre, kind, number from event_day_centre_rolled
    union all
    select date_trunc('day', occurred_at, 'Asia/Shanghai'), centre, kind, 1
      from event where arrived_at >= coalesce((select upto from rollup where name = 'events'), '-infinity')
       and arrived_at <= 'infinity'
  ) as counted group by 1, 2, 3;
