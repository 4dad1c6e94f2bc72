DROP INDEX audit_log_by_resource;
DROP INDEX audit_log_by_type;
DROP INDEX audit_log_by_action;
DROP INDEX audit_log_by_user;
CREATE INDEX audit_log_by_resource ON audit_log (resource_type, resource_id, at);
CREATE INDEX audit_log_by_user ON audit_log (user_id, at);
