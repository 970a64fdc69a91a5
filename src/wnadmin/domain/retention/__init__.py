"""Retention: what audit.data_retention_policies promises to remove goes in batches; who is on legal hold stays."""
