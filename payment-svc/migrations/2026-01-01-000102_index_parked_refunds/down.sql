DROP INDEX refund_parked;
