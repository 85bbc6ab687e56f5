DROP TABLE ticket;
DROP TABLE booking_line;
DROP TABLE booking;
