//! The tables as diesel sees them: the types that both databases share. A test compares it with the migrations.

diesel::table! {
    users (id) {
        id -> Text,
        email -> Text,
        display_name -> Text,
        role -> Text,
        password_hash -> Nullable<Text>,
        oidc_subject -> Nullable<Text>,
        is_active -> Bool,
        created_at -> Timestamp,
        last_login_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        user_id -> Text,
        secret_hash -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    api_tokens (id) {
        id -> Text,
        name -> Text,
        secret_hash -> Text,
        scope -> Text,
        created_by -> Nullable<Text>,
        created_at -> Timestamp,
        expires_at -> Nullable<Timestamp>,
        last_used_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    login_failures (id) {
        id -> Text,
        account -> Text,
        address -> Text,
        failed_at -> Timestamp,
    }
}

diesel::table! {
    audit_log (id) {
        id -> Text,
        at -> Timestamp,
        user_id -> Nullable<Text>,
        action -> Text,
        resource_type -> Text,
        resource_id -> Nullable<Text>,
        description -> Text,
        address -> Nullable<Text>,
    }
}

diesel::table! {
    system_configs (key) {
        key -> Text,
        value -> Text,
        category -> Text,
        value_type -> Text,
        name -> Text,
        description -> Nullable<Text>,
        is_encrypted -> Bool,
    }
}

diesel::table! {
    backup_configs (key) {
        key -> Text,
        storage_url -> Nullable<Text>,
        storage_connection_string -> Nullable<Text>,
        container_name -> Nullable<Text>,
        database_host -> Nullable<Text>,
        database_port -> Nullable<Integer>,
        database_name -> Nullable<Text>,
        database_user -> Nullable<Text>,
        database_password -> Nullable<Text>,
        upload_dir -> Nullable<Text>,
        compression_enabled -> Bool,
        compression_algorithm -> Nullable<Text>,
        encryption_enabled -> Bool,
        encryption_key -> Nullable<Text>,
        previous_encryption_keys -> Text,
        notify_on_success -> Bool,
        notify_on_failure -> Bool,
        notification_emails -> Text,
        quota_gigabytes -> Nullable<BigInt>,
        quota_policy -> Text,
        updated_at -> Timestamp,
        webhooks -> Text,
        notification_language -> Text,
        usage_alert_percents -> Text,
        verify_within_days -> Nullable<Integer>,
        max_concurrent_jobs -> Nullable<Integer>,
    }
}

diesel::table! {
    backup_schedules (id) {
        id -> Text,
        config_key -> Text,
        name -> Text,
        description -> Nullable<Text>,
        is_enabled -> Bool,
        backup_type -> Text,
        backup_source -> Text,
        cron_expression -> Text,
        timezone -> Text,
        retention_days -> BigInt,
        max_backups -> BigInt,
        keep_daily -> Nullable<BigInt>,
        keep_weekly -> Nullable<BigInt>,
        keep_monthly -> Nullable<BigInt>,
        keep_yearly -> Nullable<BigInt>,
        next_run_at -> Nullable<Timestamp>,
        last_run_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        created_by -> Nullable<Text>,
        keep_hourly -> Nullable<BigInt>,
        last_success_at -> Nullable<Timestamp>,
        verify_when -> Text,
        verify_level -> Text,
        verify_percent -> Integer,
        last_verify_asked_at -> Nullable<Timestamp>,
        last_verify_passed_at -> Nullable<Timestamp>,
        consolidate_every -> Nullable<BigInt>,
        start_window -> Nullable<Text>,
    }
}

diesel::table! {
    backups (id) {
        id -> Text,
        config_key -> Text,
        name -> Text,
        description -> Nullable<Text>,
        backup_type -> Text,
        source -> Text,
        trigger -> Text,
        status -> Text,
        progress -> Integer,
        current_step -> Text,
        error_message -> Nullable<Text>,
        started_at -> Nullable<Timestamp>,
        completed_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        created_by -> Nullable<Text>,
        attempts -> Integer,
        cancel_requested -> Bool,
        storage_path -> Nullable<Text>,
        size_bytes -> Nullable<BigInt>,
        source_bytes -> Nullable<BigInt>,
        checksum -> Nullable<Text>,
        contents -> Nullable<Text>,
        warnings -> Text,
        base_id -> Nullable<Text>,
        protected -> Bool,
        verified_at -> Nullable<Timestamp>,
        verify_level -> Nullable<Text>,
        verify_error -> Nullable<Text>,
        expires_at -> Nullable<Timestamp>,
        schedule_id -> Nullable<Text>,
        deleting -> Bool,
        search_text -> Text,
        run_after -> Nullable<Timestamp>,
        lease_owner -> Nullable<Text>,
        lease_token -> Nullable<Text>,
        lease_expires_at -> Nullable<Timestamp>,
        key_fingerprint -> Nullable<Text>,
        consolidated_from -> Nullable<Text>,
        steps -> Text,
        missing -> Nullable<Text>,
        log -> Text,
    }
}

diesel::table! {
    backup_counts (config_key, status, backup_type, source, trigger) {
        config_key -> Text,
        status -> Text,
        backup_type -> Text,
        source -> Text,
        trigger -> Text,
        backups -> BigInt,
        size_bytes -> BigInt,
    }
}

diesel::table! {
    backup_steps (sort_by, step, config_key, status, backup_type, source, trigger) {
        sort_by -> Text,
        step -> Text,
        config_key -> Text,
        status -> Text,
        backup_type -> Text,
        source -> Text,
        trigger -> Text,
        backups -> BigInt,
    }
}

diesel::table! {
    backup_totals (config_key, day, status, backup_type, source, trigger) {
        config_key -> Text,
        day -> Text,
        status -> Text,
        backup_type -> Text,
        source -> Text,
        trigger -> Text,
        backups -> BigInt,
        size_bytes -> BigInt,
    }
}

diesel::table! {
    metric_totals (config_key, metric, bound) {
        config_key -> Text,
        metric -> Text,
        bound -> BigInt,
        backups -> BigInt,
        amount -> BigInt,
    }
}

diesel::table! {
    schedule_firings (schedule_id, scheduled_at) {
        schedule_id -> Text,
        scheduled_at -> Timestamp,
        outcome -> Text,
        backup_id -> Nullable<Text>,
        recorded_at -> Timestamp,
        missed -> BigInt,
    }
}

diesel::table! {
    backup_storage_usage (id) {
        id -> Text,
        recorded_at -> Timestamp,
        total_size_bytes -> BigInt,
        backup_count -> BigInt,
        oldest_backup_at -> Nullable<Timestamp>,
        newest_backup_at -> Nullable<Timestamp>,
        quota_bytes -> Nullable<BigInt>,
        usage_percent -> Nullable<Double>,
    }
}

diesel::table! {
    restore_records (id) {
        id -> Text,
        backup_id -> Text,
        status -> Text,
        progress -> Integer,
        current_step -> Text,
        error_message -> Nullable<Text>,
        started_at -> Nullable<Timestamp>,
        completed_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        created_by -> Nullable<Text>,
        attempts -> Integer,
        cancel_requested -> Bool,
        restore_database -> Bool,
        restore_files -> Bool,
        restore_config -> Bool,
        target_database -> Nullable<Text>,
        target_dir -> Nullable<Text>,
        mode -> Text,
        paths -> Text,
        tables -> Text,
        safety_backup -> Bool,
        run_after -> Nullable<Timestamp>,
        lease_owner -> Nullable<Text>,
        lease_token -> Nullable<Text>,
        lease_expires_at -> Nullable<Timestamp>,
        action -> Text,
        of_restore_id -> Nullable<Text>,
        config_key -> Text,
        safety_backup_id -> Nullable<Text>,
        skip_owner -> Bool,
        keep_old_hours -> Integer,
        replacement -> Nullable<Text>,
        kept_until -> Nullable<Timestamp>,
        warnings -> Text,
        skip_tablespaces -> Bool,
        steps -> Text,
        log -> Text,
    }
}

diesel::table! {
    verifications (id) {
        id -> Text,
        backup_id -> Text,
        level -> Text,
        status -> Text,
        progress -> Integer,
        current_step -> Text,
        error_message -> Nullable<Text>,
        started_at -> Nullable<Timestamp>,
        completed_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        created_by -> Nullable<Text>,
        attempts -> Integer,
        cancel_requested -> Bool,
        run_after -> Nullable<Timestamp>,
        lease_owner -> Nullable<Text>,
        lease_token -> Nullable<Text>,
        lease_expires_at -> Nullable<Timestamp>,
        config_key -> Text,
        steps -> Text,
        log -> Text,
    }
}

diesel::table! {
    system_pause (id) {
        id -> Integer,
        paused_at -> Timestamp,
        paused_by -> Nullable<Text>,
        reason -> Text,
        resumed_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    config_turns (config_key) {
        config_key -> Text,
        taken_at -> Timestamp,
    }
}

diesel::table! {
    alerts (id) {
        id -> Text,
        kind -> Text,
        subject -> Text,
        severity -> Text,
        message -> Text,
        raised_at -> Timestamp,
        acknowledged_at -> Nullable<Timestamp>,
        resolved_at -> Nullable<Timestamp>,
        details -> Text,
    }
}

diesel::table! {
    notifications (id) {
        id -> Text,
        config_key -> Text,
        channel -> Text,
        target -> Text,
        report -> Text,
        status -> Text,
        attempts -> Integer,
        last_error -> Nullable<Text>,
        created_at -> Timestamp,
        sent_at -> Nullable<Timestamp>,
        run_after -> Timestamp,
        lease_token -> Nullable<Text>,
    }
}

diesel::table! {
    backup_readings (id) {
        id -> Text,
        backup_id -> Text,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    turns (name) {
        name -> Text,
        owner -> Text,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    protected_unseen (id) {
        id -> Text,
    }
}

diesel::table! {
    retention_clock (id) {
        id -> Integer,
        at -> Timestamp,
    }
}

diesel::table! {
    event_counter (id) {
        id -> Integer,
        last_seq -> BigInt,
    }
}

diesel::table! {
    events (seq) {
        seq -> BigInt,
        kind -> Text,
        subject_id -> Text,
        at -> Timestamp,
    }
}

diesel::allow_tables_to_appear_in_same_query!(backups, users, backup_schedules, api_tokens);
diesel::allow_tables_to_appear_in_same_query!(backups, restore_records);
diesel::allow_tables_to_appear_in_same_query!(sessions, users);
diesel::allow_tables_to_appear_in_same_query!(system_pause, users);
diesel::allow_tables_to_appear_in_same_query!(audit_log, users);
