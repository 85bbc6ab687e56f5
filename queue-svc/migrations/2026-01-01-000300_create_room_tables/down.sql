DROP TABLE used_place;
DROP TABLE room_lane;
DROP TABLE room;
