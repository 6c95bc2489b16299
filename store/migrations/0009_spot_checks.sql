-- Spot checks (抽查): what was planned, and what people saw. Answers are never changed: the newest stands, all are kept.

create table spot_check_plan (
    plan_id      text        primary key,
    centre       text        not null,
    seed         text        not null,                   -- the same seed draws the same moments: anyone can check the draw
    quota        int         not null,                   -- for each window and hour
    every        int         not null,                   -- minutes between the moments that could be drawn
    first_day    date        not null,
    last_day     date        not null,
    made_at      timestamptz not null,
    made_by      text        not null
);

create table spot_check (
    check_id     text        primary key,
    plan_id      text        not null references spot_check_plan,
    centre       text        not null,
    window_id    text        not null,
    hour         int         not null,
    at           timestamptz not null,
    population   int         not null,                   -- moments of its window and hour …
    drawn        int         not null                    -- … and how many of them were drawn
);
create index spot_check_plan_at on spot_check (plan_id, at);

create table spot_check_answer (
    number       bigint      generated always as identity primary key,
    check_id     text        not null references spot_check,
    at           timestamptz not null,
    person       text        not null,
    answer       text        not null check (answer in ('present', 'absent', 'unclear')),
    minutes      float8,                                 -- empty for at least so long, as far as the person saw
    note         text        not null default ''
);
create index spot_check_answer_check on spot_check_answer (check_id, number);
