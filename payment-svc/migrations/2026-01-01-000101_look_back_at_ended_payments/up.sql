ALTER TABLE payment DROP CONSTRAINT payment_awaited_is_checked;
ALTER TABLE payment ADD CONSTRAINT payment_awaited_is_checked CHECK (
    CASE
        WHEN state IN ('PROCESSING', 'UNKNOWN') THEN next_check_time IS NOT NULL
        ELSE next_check_time IS NULL OR state IN ('CANCELLED', 'EXPIRED', 'DECLINED')
    END
);
COMMENT ON COLUMN payment.next_check_time IS 'When the provider is asked next: while the outcome is awaited, and for late money after an end without any.';
