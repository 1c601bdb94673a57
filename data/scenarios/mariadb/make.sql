CREATE DATABASE shop;
USE shop;
CREATE TABLE item (id INT PRIMARY KEY, name VARCHAR(20), price INT, KEY (name)) ENGINE=InnoDB;
CREATE TABLE colour (name VARCHAR(20) PRIMARY KEY, colour VARCHAR(10)) ENGINE=InnoDB;
INSERT INTO colour VALUES ('name1', 'red'), ('name2', 'green'), ('name3', 'blue');
