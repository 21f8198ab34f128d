"""How to patch, never what: records, the ledger, the single writer, post-import hooks, isolated green copies."""
