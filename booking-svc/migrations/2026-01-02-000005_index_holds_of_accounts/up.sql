CREATE INDEX hold_of_account ON hold (account_id, create_time DESC, hold_id DESC);
