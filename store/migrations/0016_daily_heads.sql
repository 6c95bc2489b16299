-- Heads of whole local days of a centre, kept by the upkeep after midnight: one for each day, however many processes keep house.
alter table evidence_head add column daily boolean not null default false;
create unique index evidence_head_daily on evidence_head (centre, day) where daily;
