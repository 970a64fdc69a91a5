"""What is WonderNest's in a database and in a cluster, by name."""

from __future__ import annotations

from typing import Final

SCHEMAS: Final = (
    "core",
    "family",
    "content",
    "audio",
    "subscription",
    "analytics",
    "safety",
    "ml",
    "audit",
    "admin",
)
"""The ten schemas of the database."""

EXTENSION_SCHEMA: Final = "extensions"
"""Where extensions live; it may exist before WonderNest does."""

LOGIN_ROLES: Final = (
    "wondernest_app",
    "wondernest_analytics",
    "wondernest_migration",
    "wondernest_backup",
    "wondernest_monitor",
)
"""Roles that programs log in as."""

GROUP_ROLES: Final = (
    "wondernest_owner",
    "wondernest_definer",
    "wondernest_audit_owner",
    "wondernest_rw",
    "wondernest_ro",
    "wondernest_worker",
    "wondernest_operator",
    "wondernest_compliance",
    "wondernest_approver",
)
"""Roles that own, or that people and programs are members of."""

ROLES: Final = LOGIN_ROLES + GROUP_ROLES
"""Every role that 07 makes. They belong to the cluster, so several databases share them."""

OWNER_ROLES: Final = ("wondernest_owner", "wondernest_definer", "wondernest_audit_owner")
"""Roles that 07 gives objects to."""

BUILTIN_ROLES: Final = (
    "pg_read_all_data",
    "pg_monitor",
    "pg_signal_backend",
    "pg_maintain",
    "pg_signal_autovacuum_worker",
)
"""PostgreSQL's own roles that 07 grants to a role when it makes it, as far as the server has them."""
