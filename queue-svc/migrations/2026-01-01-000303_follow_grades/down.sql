ALTER TABLE stock DROP COLUMN grades, DROP COLUMN sold_out_grades;
