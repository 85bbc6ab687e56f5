CREATE INDEX refund_parked ON refund (create_time) WHERE state = 'PARKED';
