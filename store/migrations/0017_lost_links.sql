-- Links of events that retention has dropped go too, and their subject knows up to when its events are lost: what was found about
-- it stands, for nobody can judge it again.
alter table subject_state add column lost_until timestamptz;
create index subject_event_arrived on subject_event using brin (arrived_at);

-- A writer that begins again while older events are being linked: from when on they are gone through once more, after this time.
alter table subject_linking add column again_from timestamptz;
