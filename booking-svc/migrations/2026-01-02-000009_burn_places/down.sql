DROP TABLE burned_place;
