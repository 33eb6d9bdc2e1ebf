"""Amazon Bedrock: jobs, models and reasoning policies of an account, by name, id or ARN.

The ARN of a job or a model holds an id that its name does not tell, so a name leaves it unknown and an ARN is used as
it is. What follows a policy's id in its ARN is its version, and IAM checks that ARN.
"""

from __future__ import annotations

from typing import Final

from connectors.aws.catalogue.overrides.bedrock import PROVISIONED, models
from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, Kind
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given
from connectors.aws.catalogue.place import UNKNOWN

_BEDROCK: Final = Service("bedrock", "bedrock")


def _with_id(name: str) -> Kind:
    return Kind("bedrock", f"{name}/{{}}", spell=lambda _name: UNKNOWN)


_POLICY: Final = Kind("bedrock", "automated-reasoning-policy/{}", form=ARN_ONLY).at("policyArn")
_ROUTER: Final = Kind("bedrock", "prompt-router/{}", form=ARN_ONLY, types=("default-prompt-router/",))
_PROFILE: Final = Kind("bedrock", "application-inference-profile/{}")
_CUSTOM: Final = _with_id("custom-model")
_DEPLOYMENT: Final = _with_id("custom-model-deployment")
_EVALUATION: Final = _with_id("evaluation-job")
_OPTIMIZATION: Final = _with_id("advanced-prompt-optimization-job")

TABLE: Final[Rows] = merged(
    _BEDROCK.each(
        "CancelAutomatedReasoningPolicyBuildWorkflow CreateAutomatedReasoningPolicyTestCase "
        "CreateAutomatedReasoningPolicyVersion DeleteAutomatedReasoningPolicy "
        "DeleteAutomatedReasoningPolicyBuildWorkflow DeleteAutomatedReasoningPolicyTestCase "
        "ExportAutomatedReasoningPolicyVersion GetAutomatedReasoningPolicy GetAutomatedReasoningPolicyAnnotations "
        "GetAutomatedReasoningPolicyBuildWorkflow GetAutomatedReasoningPolicyBuildWorkflowResultAssets "
        "GetAutomatedReasoningPolicyNextScenario GetAutomatedReasoningPolicyTestCase "
        "GetAutomatedReasoningPolicyTestResult ListAutomatedReasoningPolicies "
        "ListAutomatedReasoningPolicyBuildWorkflows ListAutomatedReasoningPolicyTestCases "
        "ListAutomatedReasoningPolicyTestResults StartAutomatedReasoningPolicyBuildWorkflow "
        "StartAutomatedReasoningPolicyTestWorkflow UpdateAutomatedReasoningPolicy "
        "UpdateAutomatedReasoningPolicyAnnotations UpdateAutomatedReasoningPolicyTestCase",
        _POLICY,
    ),
    _BEDROCK.each("GetEvaluationJob StopEvaluationJob", _EVALUATION.at("jobIdentifier")),
    _BEDROCK.each("BatchDeleteEvaluationJob", _EVALUATION.at("jobIdentifiers[]")),
    _BEDROCK.each(
        "GetAdvancedPromptOptimizationJob StopAdvancedPromptOptimizationJob", _OPTIMIZATION.at("jobIdentifier")
    ),
    _BEDROCK.each("BatchDeleteAdvancedPromptOptimizationJob", _OPTIMIZATION.at("jobIdentifiers[]")),
    _BEDROCK.each(
        "GetModelCustomizationJob StopModelCustomizationJob", _with_id("model-customization-job").at("jobIdentifier")
    ),
    _BEDROCK.each("GetModelImportJob", _with_id("model-import-job").at("jobIdentifier")),
    _BEDROCK.each("GetModelCopyJob", Kind("bedrock", "model-copy-job/{}", form=ARN_ONLY).at("jobArn")),
    _BEDROCK.each("DeleteCustomModel GetCustomModel", _CUSTOM.at("modelIdentifier")),
    _BEDROCK.each("DeleteImportedModel GetImportedModel", _with_id("imported-model").at("modelIdentifier")),
    _BEDROCK.each("CreateCustomModelDeployment", _CUSTOM.at("modelArn")),
    _BEDROCK.each(
        "UpdateCustomModelDeployment", _CUSTOM.at("modelArn"), _DEPLOYMENT.at("customModelDeploymentIdentifier")
    ),
    _BEDROCK.each("CreateModelCopyJob", _CUSTOM.at("sourceModelArn"), _CUSTOM.new()),
    _BEDROCK.each("CreateInferenceProfile", models("modelSource.copyFrom"), _PROFILE.new()),
    _BEDROCK.each("CreatePromptRouter", models("models[].modelArn"), models("fallbackModel.modelArn")),
    _BEDROCK.each("GetPromptRouter", _ROUTER.at("promptRouterArn")),
    _BEDROCK.row(
        "UpdateProvisionedModelThroughput",
        Need("bedrock:UpdateProvisionedModelThroughput", PROVISIONED.at("provisionedModelId")),
        Need("bedrock:UpdateProvisionedModelThroughput", models("desiredModelId"), given("desiredModelId")),
    ),
)
