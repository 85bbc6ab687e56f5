DROP INDEX saga_parked;
