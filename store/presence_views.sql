-- The plain names of what is added up, where no continuous aggregate bears them. Written anew by every migration.
-- Above the line up to which the upkeep has added up, what lies in the raw rows is added up while reading.
-- The second end of each range says nothing; it tells PostgreSQL that the range is a short one, for which it takes the index.

create or replace view presence_minute as
  select bucket, centre, window_id, camera, post, expected, valid, seen from presence_minute_rolled
  union all
  select date_trunc('minute', at, 'UTC'), centre, window_id, camera, post,
         sum(looks_expected), sum(looks_valid), sum(looks_seen)
    from observation
   where kind = 'post.summary' and at >= coalesce((select upto from rollup where name = 'presence'), '-infinity')
     and at <= 'infinity'
   group by 1, 2, 3, 4, 5;

create or replace view presence_hour as
  select bucket, centre, window_id, camera, post, expected, valid, seen from presence_hour_rolled
  union all
  select date_trunc('hour', at, 'UTC'), centre, window_id, camera, post,
         sum(looks_expected), sum(looks_valid), sum(looks_seen)
    from observation
   where kind = 'post.summary' and at >= coalesce((select upto from rollup where name = 'presence'), '-infinity')
     and at <= 'infinity'
   group by 1, 2, 3, 4, 5;

create or replace view presence_minute_department as
  select bucket, centre, department, expected, valid, seen from presence_minute_department_rolled
  union all
  select date_trunc('minute', at, 'UTC'), centre, department,
         sum(looks_expected), sum(looks_valid), sum(looks_seen)
    from observation
   where kind = 'post.summary' and at >= coalesce((select upto from rollup where name = 'presence'), '-infinity')
     and at <= 'infinity'
   group by 1, 2, 3;

create or replace view presence_hour_department as
  select bucket, centre, department, expected, valid, seen from presence_hour_department_rolled
  union all
  select date_trunc('hour', at, 'UTC'), centre, department,
         sum(looks_expected), sum(looks_valid), sum(looks_seen)
    from observation
   where kind = 'post.summary' and at >= coalesce((select upto from rollup where name = 'presence'), '-infinity')
     and at <= 'infinity'
   group by 1, 2, 3;

-- Days are China's.
create or replace view presence_day as
  select bucket, centre, window_id, camera, post, expected, valid, seen from presence_day_rolled
  union all
  select date_trunc('day', bucket, 'Asia/Shanghai'), centre, window_id, camera, post,
         sum(expected)::bigint, sum(valid)::bigint, sum(seen)::bigint
    from presence_hour
   where bucket >= coalesce((select days_upto from rollup where name = 'presence'), '-infinity')
     and bucket <= 'infinity'
   group by 1, 2, 3, 4, 5;

create or replace view presence_day_department as
  select bucket, centre, department, expected, valid, seen from presence_day_department_rolled
  union all
  select date_trunc('day', bucket, 'Asia/Shanghai'), centre, department,
         sum(expected)::bigint, sum(valid)::bigint, sum(seen)::bigint
    from presence_hour_department
   where bucket >= coalesce((select days_upto from rollup where name = 'presence'), '-infinity')
     and bucket <= 'infinity'
   group by 1, 2, 3;

create or replace view presence_minute_centre as
  select bucket, centre, sum(expected)::bigint as expected, sum(valid)::bigint as valid, sum(seen)::bigint as seen
    from presence_minute_department group by 1, 2;

create or replace view presence_hour_centre as
  select bucket, centre, sum(expected)::bigint as expected, sum(valid)::bigint as valid, sum(seen)::bigint as seen
    from presence_hour_department group by 1, 2;

create or replace view presence_day_centre as
  select bucket, centre, sum(expected)::bigint as expected, sum(valid)::bigint as valid, sum(seen)::bigint as seen
    from presence_day_department group by 1, 2;
