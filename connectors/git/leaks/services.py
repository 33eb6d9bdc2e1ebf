"""Rules about messaging, payment, model and observability services; formats as the providers document them."""

from __future__ import annotations

from typing import Final

from connectors.git.leaks.model import Rule
from connectors.git.leaks.shapes import ALNUM, BASE64, HEX, LOWER, UPPER, UUID, WORD, assigned, embedded, span, token

_DISCORD: Final = rf"[MNO][{WORD}]{{23,27}}+\.[{WORD}]{{6}}\.{span(WORD, 27, 40)}"

MESSAGING: Final[tuple[Rule, ...]] = (
    token("slack-bot-token", "xoxb-", r"\d{9,14}+-" + span(f"{ALNUM}-", 20, 80)),
    token("slack-user-token", "xoxp- xoxa- xoxr- xoxs- xoxo-", r"\d{1,14}+-" + span(f"{ALNUM}-", 20, 150)),
    token("slack-app-token", "xapp-", r"\d-[A-Z0-9]{8,14}+-\d{9,16}+-" + span(HEX, 40, 80)),
    token("slack-configuration-token", "xoxe.xoxp- xoxe.xoxb- xoxe-", rf"\d-{span(ALNUM, 100, 250)}"),
    token("slack-session-cookie", "xoxd-", span(rf"{BASE64}%=", 60, 400)),
    token("slack-webhook", "hooks.slack.com/services/", r"T[A-Z0-9]{8,12}+/B[A-Z0-9]{8,12}+/" + span(ALNUM, 24)),
    token(
        "slack-workflow-webhook",
        "hooks.slack.com/workflows/",
        r"[A-Z0-9]{8,12}+/[A-Z0-9]{8,14}+/\d{17,19}+/" + span(ALNUM, 24),
    ),
    token(
        "discord-webhook", "discord.com/api/webhooks/ discordapp.com/api/webhooks/", r"\d{17,20}+/" + span(WORD, 60, 80)
    ),
    assigned("discord-bot-token", "discord bot_token", _DISCORD),
    embedded("telegram-bot-token", ":AA", r"\d{8}", span(WORD, 33)),
    token("teams-webhook", ".webhook.office.com/webhookb2/", rf"{UUID}@{UUID}/IncomingWebhook/[{HEX}]{{32}}/{UUID}"),
    token("twilio-api-key", "SK", span(HEX, 32), alone=True),
    assigned("twilio-auth-token", "twilio", span(HEX, 32)),
    token("sendgrid-api-key", "SG.", rf"[{WORD}]{{22}}\.{span(WORD, 43)}", alone=True),
    token("mailgun-api-key", "key-", span(HEX, 32), alone=True),
    assigned("mailgun-private-key", "mailgun", f"[{HEX}]{{32}}-[{HEX}]{{8}}-[{HEX}]{{8}}"),
    embedded("mailchimp-api-key", "-us", f"[{HEX}]{{32}}", span("0-9", 1, 2)),
    assigned("postmark-server-token", "postmark", UUID),
    token("resend-api-key", "re_", rf"[{ALNUM}]{{8}}_{span(ALNUM, 24)}", alone=True),
    token("brevo-api-key", "xkeysib- xsmtpsib-", f"[{HEX}]{{64}}-{span(ALNUM, 16)}"),
    assigned("pagerduty-api-key", "pagerduty pd_api", rf"(?:u\+{span(WORD, 18)}|{span(WORD, 20)})"),
    token("linear-api-key", "lin_api_ lin_oauth_", span(ALNUM, 40, 64)),
    token("notion-integration-token", "ntn_", r"\d{11}" + span(ALNUM, 35), alone=True),
    token("figma-access-token", "figd_ figo_", span(WORD, 38, 46), alone=True),
    token("airtable-access-token", "pat", rf"[{ALNUM}]{{14}}\.{span(HEX, 64)}", alone=True),
    token("typeform-token", "tfp_", span(rf"{WORD}.=", 40, 70), alone=True),
    token("contentful-token", "CFPAT-", span(WORD, 43)),
    token("dropbox-access-token", "sl.", span(rf"{WORD}.", 130, 1500), alone=True),
    token("facebook-access-token", "EAA", span(ALNUM, 100, 400), alone=True),
    token("hubspot-access-token", "pat-na1- pat-na2- pat-eu1- pat-ap1-", UUID),
    assigned("linkedin-client-secret", "linkedin", span(ALNUM, 16)),
    token("twitter-bearer-token", "AAAAAAAAAAAAAAAAAAAAA", span(rf"{ALNUM}%", 60, 120)),
    token("mapbox-secret-token", "sk.eyJ", rf"[{WORD}]{{60,200}}+\.{span(WORD, 20, 24)}", alone=True),
    token("frameio-token", "fio-u-", span(rf"{WORD}=", 64)),
    token("shippo-token", "shippo_live_ shippo_test_", span(HEX, 40)),
    token("easypost-token", "EZAK EZTK", span(ALNUM, 54), alone=True),
    assigned("okta-api-token", "okta ssws", "00" + span(WORD, 40)),
)

PAYMENT: Final[tuple[Rule, ...]] = (
    token("stripe-secret-key", "sk_live_ sk_test_ sk_prod_", span(ALNUM, 16, 247)),
    token("stripe-restricted-key", "rk_live_ rk_test_ rk_prod_", span(ALNUM, 16, 247)),
    token("stripe-webhook-secret", "whsec_", span(BASE64, 32, 64)),
    token("square-access-token", "EAAA", span(WORD, 60), alone=True),
    token("square-personal-token", "sq0atp-", span(WORD, 22, 60)),
    token("square-oauth-secret", "sq0csp-", span(WORD, 43, 60)),
    token("shopify-access-token", "shpat_ shpca_ shppa_ shpua_", span("0-9a-fA-F", 32)),
    token("shopify-shared-secret", "shpss_", span("0-9a-fA-F", 32)),
    token(
        "braintree-access-token", "access_token$production$ access_token$sandbox$", rf"[{LOWER}]{{16}}\${span(HEX, 32)}"
    ),
    token("plaid-access-token", "access-production- access-sandbox- access-development-", UUID),
    assigned("razorpay-key-secret", "razorpay", span(ALNUM, 24)),
    token("flutterwave-secret-key", "FLWSECK-", rf"[{ALNUM}]{{32,60}}+-X"),
    token("adyen-api-key", "AQE", rf"[{BASE64}]{{30,200}}+={{0,2}}+-[{BASE64}=]{{20,200}}+-", alone=True),
    token("duffel-token", "duffel_live_ duffel_test_", span(rf"{WORD}=", 43)),
)

MODELS: Final[tuple[Rule, ...]] = (
    embedded("openai-api-key", "T3BlbkFJ", r"[\w-]{20}", span(WORD, 20, 100)),
    token("openai-style-api-key", "sk-", span(ALNUM, 32, 64), alone=True),
    token("anthropic-api-key", "sk-ant-api03- sk-ant-admin01- sk-ant-oat01- sk-ant-ort01-", span(WORD, 80, 120)),
    token("openrouter-api-key", "sk-or-v1-", span(HEX, 64)),
    token("huggingface-token", "hf_", span("A-Za-z", 34), alone=True),
    token("huggingface-organization-token", "api_org_", span("A-Za-z", 34)),
    token("replicate-api-token", "r8_", span(ALNUM, 37), alone=True),
    token("groq-api-key", "gsk_", span(ALNUM, 52), alone=True),
    token("perplexity-api-key", "pplx-", span(ALNUM, 48)),
    token("xai-api-key", "xai-", span(ALNUM, 80), alone=True),
    token("langsmith-api-key", "lsv2_pt_ lsv2_sk_", f"[{HEX}]{{32}}_{span(HEX, 10)}"),
    token("elevenlabs-api-key", "sk_", span(HEX, 48), alone=True),
    token("nvidia-api-key", "nvapi-", span(WORD, 60, 80)),
    token("pinecone-api-key", "pcsk_", span("A-Za-z0-9_", 60, 80), alone=True),
    token("cerebras-api-key", "csk-", span(LOWER, 48), alone=True),
    assigned("wandb-api-key", "wandb", span(HEX, 40)),
)

OBSERVABILITY: Final[tuple[Rule, ...]] = (
    assigned("datadog-api-key", "datadog dd_api", span(HEX, 32)),
    assigned("datadog-app-key", "datadog dd_app", span(HEX, 40)),
    token("newrelic-user-key", "NRAK-", span(UPPER, 27), alone=True),
    token("newrelic-insert-key", "NRII-", span(WORD, 32), alone=True),
    token("newrelic-browser-key", "NRJS-", span(HEX, 19), alone=True),
    embedded("newrelic-license-key", "NRAL", f"[{HEX}]{{36}}", f"(?![{ALNUM}])"),
    token("sentry-organization-token", "sntrys_eyJ", span(rf"{WORD}{BASE64}=", 80, 400)),
    token("sentry-user-token", "sntryu_", span(HEX, 64)),
    token("grafana-service-account-token", "glsa_", rf"[{ALNUM}]{{32}}_{span('0-9A-Fa-f', 8)}"),
    token("grafana-cloud-token", "glc_eyJ", span(f"{BASE64}=", 60, 400)),
    token("grafana-api-key", "eyJrIjoi", span(f"{BASE64}=", 60, 400), alone=True),
    token("dynatrace-api-token", "dt0c01. dt0s01. dt0s02. dt0s08.", rf"[A-Z2-7]{{8,24}}+\.{span('A-Z2-7', 64)}"),
    assigned("honeycomb-api-key", "honeycomb", span(ALNUM, 32)),
    token("honeycomb-ingest-key", "hcaik_ hcxik_", span(LOWER, 50, 64), alone=True),
    token("posthog-personal-key", "phx_", span(ALNUM, 40, 60), alone=True),
    token("launchdarkly-key", "sdk- api-", rf"{UUID}(?![{ALNUM}])", alone=True),
    assigned("opsgenie-api-key", "opsgenie", UUID),
    assigned("rollbar-access-token", "rollbar", span(HEX, 32)),
    assigned("splunk-hec-token", "splunk", UUID),
)
