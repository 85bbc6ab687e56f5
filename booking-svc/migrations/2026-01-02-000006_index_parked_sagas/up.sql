CREATE INDEX saga_parked ON saga (deadline_time) WHERE state = 'PARKED';
