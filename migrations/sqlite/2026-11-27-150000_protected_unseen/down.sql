DROP TABLE protected_unseen;
