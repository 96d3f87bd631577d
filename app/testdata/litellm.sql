-- The tables of LiteLLM's proxy that are read, with the columns that its schema has for them.
CREATE TABLE "LiteLLM_BudgetTable" (budget_id text PRIMARY KEY, max_budget double precision, soft_budget double precision, max_parallel_requests int, tpm_limit bigint, rpm_limit bigint, model_max_budget jsonb, budget_duration text, budget_reset_at timestamp);
CREATE TABLE "LiteLLM_CredentialsTable" (credential_id text PRIMARY KEY, credential_name text UNIQUE, credential_values jsonb, credential_info jsonb);
CREATE TABLE "LiteLLM_ProxyModelTable" (model_id text PRIMARY KEY, model_name text, litellm_params jsonb, model_info jsonb, blocked boolean DEFAULT false);
CREATE TABLE "LiteLLM_OrganizationTable" (organization_id text PRIMARY KEY, organization_alias text, budget_id text, models text[], spend double precision DEFAULT 0);
CREATE TABLE "LiteLLM_OrganizationMembership" (user_id text, organization_id text, user_role text, spend double precision DEFAULT 0, budget_id text, PRIMARY KEY (user_id, organization_id));
CREATE TABLE "LiteLLM_TeamTable" (team_id text PRIMARY KEY, team_alias text, organization_id text, members_with_roles jsonb DEFAULT '{}', metadata jsonb DEFAULT '{}', max_budget double precision, soft_budget double precision, spend double precision DEFAULT 0, models text[], max_parallel_requests int, tpm_limit bigint, rpm_limit bigint, budget_duration text, budget_limits jsonb, tpd_limit bigint, blocked boolean DEFAULT false, model_max_budget jsonb DEFAULT '{}', policies text[] DEFAULT '{}');
CREATE TABLE "LiteLLM_UserTable" (user_id text PRIMARY KEY, user_alias text, user_email text, user_role text, password text, max_budget double precision, spend double precision DEFAULT 0, models text[], tpm_limit bigint, rpm_limit bigint, max_parallel_requests int, budget_duration text, budget_reset_at timestamp, model_max_budget jsonb DEFAULT '{}');
CREATE TABLE "LiteLLM_VerificationToken" (token text PRIMARY KEY, key_name text, key_alias text, spend double precision DEFAULT 0, expires timestamp, models text[], aliases jsonb DEFAULT '{}', config jsonb DEFAULT '{}', user_id text, team_id text, permissions jsonb DEFAULT '{}', max_parallel_requests int, metadata jsonb DEFAULT '{}', blocked boolean, tpm_limit bigint, rpm_limit bigint, max_budget double precision, budget_duration text, allowed_routes text[] DEFAULT '{}', policies text[] DEFAULT '{}', model_max_budget jsonb DEFAULT '{}', budget_id text, organization_id text);
CREATE TABLE "LiteLLM_BudgetWindowSpend" (entity_type text, entity_id text, window_duration text, window_start timestamp, spend double precision, PRIMARY KEY (entity_type, entity_id, window_duration));
CREATE TABLE "LiteLLM_Config" (param_name text PRIMARY KEY, param_value jsonb);
CREATE TABLE "LiteLLM_EndUserTable" (user_id text PRIMARY KEY, alias text, spend double precision DEFAULT 0);

INSERT INTO "LiteLLM_BudgetTable" (budget_id, max_budget, budget_duration, rpm_limit) VALUES ('b1', 12.5, '30d', 60);
INSERT INTO "LiteLLM_OrganizationTable" (organization_id, organization_alias, budget_id, models) VALUES ('o1', 'All of us', 'b1', '{}');
INSERT INTO "LiteLLM_EndUserTable" VALUES ('someone', null, 3);
INSERT INTO "LiteLLM_TeamTable" (team_id, team_alias, organization_id, members_with_roles, max_budget, budget_duration, spend, models, rpm_limit, tpd_limit, budget_limits) VALUES
	('11111111-aaaa', 'Physics & Co', 'o1', '[{"role":"admin","user_id":"u-ann"},{"role":"user","user_id":"u-bob"}]', 100, '30d', 40.25, '{fast,from-db}', 600, 100000, '[{"budget_duration":"1d","max_budget":5,"reset_at":"2999-01-01T00:00:00Z"}]'),
	('22222222-bbbb', null, null, '[]', null, null, 0, '{}', null, null, null);
INSERT INTO "LiteLLM_BudgetWindowSpend" VALUES ('Team', '11111111-aaaa', '1d', '2026-11-24', 1.5);
INSERT INTO "LiteLLM_Config" VALUES ('router_settings', '{}');
INSERT INTO "LiteLLM_UserTable" (user_id, user_alias, user_email, user_role, password, max_budget, budget_duration, budget_reset_at, spend) VALUES
	('u-ann', 'Ann', 'Ann@Example.com', 'proxy_admin', 'hashed', null, null, null, 1),
	('u-bob', null, 'bob@example.com', 'internal_user', null, 5, '7d', '2020-01-01', 3.5);
INSERT INTO "LiteLLM_OrganizationMembership" (user_id, organization_id, user_role) VALUES ('u-bob', 'o1', 'org_admin');
INSERT INTO "LiteLLM_VerificationToken" (token, key_name, key_alias, team_id, user_id, models, expires, max_budget, budget_duration, blocked, model_max_budget, allowed_routes, budget_id) VALUES
	('%[1]s', 'sk-...good', 'ci', '11111111-aaaa', 'u-ann', '{}', null, null, null, null, '{"fast":{"budget_limit":2,"time_period":"1d"}}', '{/v1/embeddings}', 'b1'),
	('%[2]s', 'sk-...free', null, '22222222-bbbb', null, '{all-proxy-models}', '2999-01-01', 7.5, '1mo', false, '{}', '{}', null),
	('%[3]s', 'sk-...over', 'old', null, null, '{}', '2020-01-01', null, null, null, '{}', '{}', null),
	('%[4]s', 'sk-...shut', 'shut', null, null, '{}', null, null, null, true, '{}', '{}', null),
	('%[5]s', 'sk-...gone', 'for-gone', null, null, '{gone-model}', null, null, null, null, '{}', '{}', null),
	('in-clear', null, 'clear', null, null, '{}', null, null, null, null, '{}', '{}', null);
INSERT INTO "LiteLLM_CredentialsTable" (credential_id, credential_name, credential_values) VALUES ('c1', 'shared', '{"api_key":"%[6]s"}');
INSERT INTO "LiteLLM_ProxyModelTable" (model_id, model_name, litellm_params, model_info) VALUES
	('m1', 'from-db', '{"model":"%[7]s","api_base":"%[8]s","litellm_credential_name":"shared"}', '{"id":"m1","input_cost_per_token":1e-6,"output_cost_per_token":1e-6}');
