DROP TABLE system_pause;
