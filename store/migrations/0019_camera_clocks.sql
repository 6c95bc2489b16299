-- Seconds by which a camera's own clock is ahead of ours, as it said with its camera.state. NULL: not known. Nothing is dated by it.
alter table observation add column clock_offset double precision;
alter table camera_state add column clock_offset double precision;
