-- does: refreshes the planner's statistics of the tables that a sample world fills
-- privileges: the owner of the tables, or MAINTAIN on them
-- since: 15
-- cost: reads a sample of every table and partition, seconds
ANALYZE core.users;
ANALYZE core.user_devices;
ANALYZE core.user_preferences;
ANALYZE family.families;
ANALYZE family.family_members;
ANALYZE family.child_profiles;
ANALYZE family.guardian_consents;
ANALYZE safety.parental_controls;
ANALYZE content.engagement;
ANALYZE audio.sessions;
ANALYZE audio.speech_metrics;
ANALYZE analytics.events;
ANALYZE analytics.daily_child_metrics;
ANALYZE subscription.subscriptions;
ANALYZE subscription.invoices;
ANALYZE subscription.payments;
ANALYZE audit.activity_log;
