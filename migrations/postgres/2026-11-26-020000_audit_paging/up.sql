-- Each filter of the audit log has an index in the order of its pages, so that a page and an export read what they show.
DROP INDEX audit_log_by_resource;
DROP INDEX audit_log_by_user;
CREATE INDEX audit_log_by_user ON audit_log (user_id, at, id);
CREATE INDEX audit_log_by_action ON audit_log (action, at, id);
CREATE INDEX audit_log_by_type ON audit_log (resource_type, at, id);
CREATE INDEX audit_log_by_resource ON audit_log (resource_id, at, id);
