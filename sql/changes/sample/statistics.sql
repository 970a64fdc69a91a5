-- does: refreshes the planner's statistics of the tables that a sample world fills
-- privileges: the owner of the tables, or MAINTAIN on them
-- since: 15
-- cost: reads a sample of every table and partition, seconds
ANALYZE
    core.users,
    core.user_devices,
    core.user_preferences,
    family.families,
    family.family_members,
    family.child_profiles,
    family.guardian_consents,
    safety.parental_controls,
    content.engagement,
    audio.sessions,
    audio.speech_metrics,
    analytics.events,
    analytics.daily_child_metrics,
    subscription.subscriptions,
    subscription.invoices,
    subscription.payments,
    audit.activity_log;
