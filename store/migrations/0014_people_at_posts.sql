-- How many people a post has at least (where its camera counts, up to as many as it needs), and whether somebody waits at
-- its public side while nobody is there. NULL: nobody counted, nobody looked.
alter table observation add column people int, add column waiting boolean;
-- A span ends when one of them changes; the answer itself may be older. NULL: as old as the span.
alter table presence_span add column people int, add column waiting boolean, add column answer_since timestamptz;
