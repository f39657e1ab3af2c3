-- The first schema. SQLite and PostgreSQL both read this text; the word "clustered" in a comment behind a table asks
-- SQLite for a table that is its own primary key (WITHOUT ROWID). Every key leads with its workspace or tenant, and
-- nothing refers into grants: a purge or a lost parent never removes one.

CREATE TABLE workspaces (
    tenant        TEXT   NOT NULL,
    slug          TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    record        TEXT   NOT NULL,
    PRIMARY KEY (tenant, slug)
) /* clustered */;

-- grants made up to grants_since are dead: disabling and enabling again revives nothing
CREATE TABLE clients (
    workspace_id  TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    record        TEXT   NOT NULL,
    origins       TEXT   NOT NULL,
    signing_alg   TEXT   NOT NULL,
    disabled_at   BIGINT,
    grants_since  BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
) /* clustered */;

CREATE TABLE users (
    workspace_id  TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    username      TEXT   NOT NULL,
    claims        TEXT   NOT NULL,
    epoch         BIGINT NOT NULL,
    password_hash TEXT,
    disabled_at   BIGINT,
    login_names   TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, id)
) /* clustered */;

CREATE TABLE login_names (
    workspace_id  TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    user_id       TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, name)
) /* clustered */;

CREATE TABLE sessions (
    workspace_id     TEXT   NOT NULL,
    id               BYTEA  NOT NULL,
    cookie_hash      BYTEA  NOT NULL,
    user_id          TEXT   NOT NULL,
    user_epoch       BIGINT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    acr              TEXT   NOT NULL,
    amr              TEXT   NOT NULL,
    idle_until       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    chosen_for       BYTEA,
    idle_for         BIGINT NOT NULL,
    ended_at         BIGINT,
    PRIMARY KEY (workspace_id, id)
) /* clustered */;
CREATE UNIQUE INDEX sessions_by_cookie ON sessions (workspace_id, cookie_hash);

CREATE TABLE consents (
    workspace_id  TEXT   NOT NULL,
    user_id       TEXT   NOT NULL,
    client_id     TEXT   NOT NULL,
    id            BYTEA  NOT NULL,
    resources     TEXT   NOT NULL,
    access        TEXT   NOT NULL,
    claims        TEXT   NOT NULL,
    request_id    BYTEA  NOT NULL,
    given_at      BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, user_id, client_id)
) /* clustered */;

-- no second index: each would cost at every sign-in. Ids begin with the time, so new rows meet at the end of the table
CREATE TABLE grants (
    workspace_id       TEXT   NOT NULL,
    id                 BYTEA  NOT NULL,
    attempt            BYTEA  NOT NULL,
    client_id          TEXT   NOT NULL,
    user_id            TEXT,
    user_epoch         BIGINT NOT NULL,
    session_id         BYTEA,
    consent_id         BYTEA,
    offline            BIGINT NOT NULL,
    scope              TEXT   NOT NULL,
    resources          TEXT   NOT NULL,
    claims             TEXT   NOT NULL,
    auth_time          BIGINT NOT NULL,
    acr                TEXT   NOT NULL,
    amr                TEXT   NOT NULL,
    created_at         BIGINT NOT NULL,
    idle_until         BIGINT NOT NULL,
    expires_at         BIGINT NOT NULL,
    refresh_hash       BYTEA,
    refresh_key        BIGINT NOT NULL,
    counter            BIGINT NOT NULL,
    rotated_at         BIGINT NOT NULL,
    access_valid_after BIGINT NOT NULL,
    revoked_at         BIGINT,
    revoked_for        TEXT,
    PRIMARY KEY (workspace_id, id)
) /* clustered */;

CREATE TABLE keys (
    workspace_id  TEXT   NOT NULL,
    key_use       TEXT   NOT NULL,
    generation    BIGINT NOT NULL,
    announced_at  BIGINT NOT NULL,
    active_at     BIGINT NOT NULL,
    private_part  BYTEA  NOT NULL,
    public_part   BYTEA  NOT NULL,
    PRIMARY KEY (workspace_id, key_use, generation)
) /* clustered */;

CREATE TABLE audit_events (
    workspace_id  TEXT   NOT NULL,
    id            BYTEA  NOT NULL,
    at            BIGINT NOT NULL,
    what          TEXT   NOT NULL,
    user_id       TEXT,
    client_id     TEXT,
    subject       TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, id)
) /* clustered */;

CREATE TABLE attempts (
    workspace_id  TEXT   NOT NULL,
    bucket        BIGINT NOT NULL,
    counted       BIGINT NOT NULL,
    ends_at       BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, bucket)
) /* clustered */;
