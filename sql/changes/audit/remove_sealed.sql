-- does: removes the beginning of the operator ledger that a seal covers; the seal is the row "seal" of the ledger
-- privileges: EXECUTE on audit.ledger_remove_sealed (wondernest_operator has it)
-- since: 15
-- cost: deletes the rows one by one, some 50,000 a second; nobody who appends waits for it
SELECT audit.ledger_remove_sealed(:'seal'::bigint) AS removed;
