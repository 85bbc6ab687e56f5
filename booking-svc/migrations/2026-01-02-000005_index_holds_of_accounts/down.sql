DROP INDEX hold_of_account;
