DROP TABLE show;
DROP TABLE hall_unit;
DROP TABLE hall;
DROP TABLE seating_plan;
DROP TABLE venue;
