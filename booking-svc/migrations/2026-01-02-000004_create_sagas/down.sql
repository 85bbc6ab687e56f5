DROP TABLE saga_event;
DROP FUNCTION saga_event_is_append_only();
DROP TABLE saga;
