DROP TABLE late_capture;
DROP TABLE refund;
DROP TABLE payment_event;
DROP FUNCTION payment_event_is_append_only;
DROP TABLE payment_attempt;
DROP TABLE payment;
