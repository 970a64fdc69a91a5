-- does: moves speech sessions older than "days" days into the archive with the sums of their metrics, "rows" at a time
-- privileges: EXECUTE on audio.archive_old_sessions, as wondernest_worker and wondernest_operator have it
-- since: 15
-- cost: so many sessions with their metrics; rows that somebody else has locked, and held ones, are passed over
SELECT audio.archive_old_sessions(:'days'::int, :'rows'::int) AS archived;
