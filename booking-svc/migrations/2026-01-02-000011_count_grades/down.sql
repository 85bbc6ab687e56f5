DROP TABLE inv_grade;
