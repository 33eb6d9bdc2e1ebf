"""What `gh` asks (2.23 and later), by command, in our own formatting; and what octokit users write."""

from __future__ import annotations

from typing import Any

REPO = {"owner": "acme", "repo": "app"}
AUTHORED = "author { login ... on User { id name } } authorAssociation body createdAt"
ROLLUP = """
statusCheckRollup: commits(last: 1) { nodes { commit { statusCheckRollup { contexts(first: 100) {
  checkRunCount checkRunCountsByState { state count } statusContextCount
  nodes {
    __typename
    ... on StatusContext { context state targetUrl createdAt description isRequired(pullRequestNumber: 1) }
    ... on CheckRun {
      name checkSuite { workflowRun { event workflow { name } } } status conclusion startedAt completedAt detailsUrl
    }
  }
  pageInfo { hasNextPage endCursor }
} } } } }
"""
PULL = f"""
id number title state url closed isDraft isCrossRepository maintainerCanModify mergeable mergeStateStatus additions
deletions changedFiles baseRefName headRefName headRefOid createdAt updatedAt closedAt mergedAt reviewDecision
isInMergeQueue isMergeQueueEnabled fullDatabaseId stateOf: state
author {{ login ... on User {{ id name }} }} mergedBy {{ login }}
autoMergeRequest {{ authorEmail mergeMethod enabledAt }}
headRepositoryOwner {{ id login ... on User {{ name }} }} headRepository {{ id name nameWithOwner }}
baseRef {{ branchProtectionRule {{ requiresStrictStatusChecks requiredApprovingReviewCount }} }}
assignees(first: 100) {{ nodes {{ id login name databaseId }} totalCount }}
assignedActors(first: 10) {{ nodes {{ ... on User {{ id login name __typename }} ... on Bot {{ id login }} }} }}
labels(first: 100) {{ nodes {{ id name description color }} totalCount }}
projectCards(first: 100) {{ nodes {{ project {{ name }} column {{ name }} }} totalCount }}
projectItems(first: 100) {{ nodes {{ id project {{ id title }}
  status: fieldValueByName(name: "Status") {{ ... on ProjectV2ItemFieldSingleSelectValue {{ optionId name }} }} }} }}
milestone {{ number title description dueOn }} mergeCommit {{ oid }} potentialMergeCommit {{ oid }}
comments(first: 100) {{ nodes {{ id {AUTHORED} includesCreatedEdit isMinimized minimizedReason url viewerDidAuthor
  reactionGroups {{ content users {{ totalCount }} }} }} pageInfo {{ hasNextPage endCursor }} totalCount }}
reviewRequests(first: 100) {{ nodes {{ requestedReviewer {{ __typename ... on User {{ login }} ... on Bot {{ login }}
  ... on Team {{ organization {{ login }} name slug }} }} }} }}
reviews(first: 100) {{ nodes {{ id {AUTHORED} submittedAt state commit {{ oid }} }} totalCount }}
latestReviews(first: 100) {{ nodes {{ author {{ login }} state submittedAt body }} }}
files(first: 100) {{ nodes {{ additions deletions path changeType }} }}
commits(first: 100) {{ nodes {{ commit {{ oid messageHeadline messageBody committedDate authoredDate
  authors(first: 100) {{ nodes {{ name email user {{ id login }} }} }} }} }} }}
closingIssuesReferences(first: 100) {{ nodes {{ id number url repository {{ id name owner {{ id login }} }} }}
  pageInfo {{ hasNextPage endCursor }} }}
{ROLLUP}
"""
REPOSITORY = "id name owner { login } viewerPermission defaultBranchRef { name } isPrivate"

QUERIES: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "pr list": (
        """fragment pr on PullRequest { number title state url headRefName headRepositoryOwner { id login } isDraft }
        query PullRequestList($owner: String!, $repo: String!, $limit: Int!, $endCursor: String, $labels: [String!],
                              $state: [PullRequestState!] = OPEN) {
          repository(owner: $owner, name: $repo) {
            pullRequests(states: $state, labels: $labels, first: $limit, after: $endCursor,
                         orderBy: {field: CREATED_AT, direction: DESC}) {
              totalCount nodes { ...pr } pageInfo { hasNextPage endCursor }
            }
          }
        }""",
        {**REPO, "limit": 30, "state": ["OPEN"]},
        {"repos/acme/app"},
    ),
    "pr list --search": (
        """fragment pr on PullRequest { number title }
        query PullRequestSearch($q: String!, $type: SearchType!, $limit: Int!, $endCursor: String) {
          search(query: $q, type: $type, first: $limit, after: $endCursor) {
            issueCount nodes { ...pr } pageInfo { hasNextPage endCursor }
          }
        }""",
        {"q": "( fix login ) repo:acme/app state:open type:pr", "type": "ISSUE_ADVANCED", "limit": 30},
        {"repos/acme/app"},
    ),
    "pr status": (
        f"""fragment pr on PullRequest {{ number title {ROLLUP} }}
        fragment prWithReviews on PullRequest {{ ...pr latestReviews(first: 100) {{ nodes {{ state }} }} }}
        query PullRequestStatus($owner: String!, $repo: String!, $headRefName: String!, $viewerQuery: String!,
                                $reviewerQuery: String!, $per_page: Int = 10) {{
          repository(owner: $owner, name: $repo) {{
            defaultBranchRef {{ name }}
            pullRequests(headRefName: $headRefName, first: $per_page,
                         orderBy: {{field: CREATED_AT, direction: DESC}}) {{
              totalCount edges {{ node {{ ...prWithReviews }} }}
            }}
          }}
          viewerCreated: search(query: $viewerQuery, type: ISSUE, first: $per_page) {{
            totalCount: issueCount edges {{ node {{ ...prWithReviews }} }}
          }}
          reviewRequested: search(query: $reviewerQuery, type: ISSUE, first: $per_page) {{
            totalCount: issueCount edges {{ node {{ ...pr }} }}
          }}
        }}""",
        {
            **REPO, "headRefName": "feature", "number": 0,
            "viewerQuery": "repo:acme/app state:open is:pr author:octocat",
            "reviewerQuery": "repo:acme/app state:open review-requested:octocat",
        },
        {"repos/acme/app"},
    ),
    "pr view": (
        f"""query PullRequestByNumber($owner: String!, $repo: String!, $pr_number: Int!) {{
          repository(owner: $owner, name: $repo) {{ pullRequest(number: $pr_number) {{ {PULL} }} }}
        }}""",
        {**REPO, "pr_number": 12},
        {"repos/acme/app"},
    ),
    "pr view of a branch": (
        f"""query PullRequestForBranch($owner: String!, $repo: String!, $headRefName: String!,
                                       $states: [PullRequestState!]) {{
          repository(owner: $owner, name: $repo) {{
            pullRequests(headRefName: $headRefName, states: $states, first: 30,
                         orderBy: {{ field: CREATED_AT, direction: DESC }}) {{ nodes {{ {PULL} }} }}
            defaultBranchRef {{ name }}
          }}
        }}""",
        {**REPO, "headRefName": "feature/login", "states": None},
        {"repos/acme/app"},
    ),
    "repo resolution": (
        f"""fragment repo on Repository {{ {REPOSITORY} }}
        query RepositoryNetwork {{
          viewer {{ login }}
          repo_000: repository(owner: "acme", name: "app") {{ ...repo parent {{ ...repo }} }}
          repo_001: repository(owner: "octocat", name: "app") {{ ...repo parent {{ ...repo }} }}
        }}""",
        {},
        {"user", "repos/acme/app", "repos/octocat/app"},
    ),
    "repo info": (
        """fragment repo on Repository { id name owner { login } hasIssuesEnabled description hasWikiEnabled
                                         viewerPermission defaultBranchRef { name } }
        query RepositoryInfo($owner: String!, $name: String!) {
          repository(owner: $owner, name: $name) {
            ...repo parent { ...repo } mergeCommitAllowed rebaseMergeAllowed squashMergeAllowed
          }
        }""",
        {"owner": "Acme", "name": "App"},
        {"repos/acme/app"},
    ),
    "repo forks": (
        """query RepositoryFindFork($owner: String!, $repo: String!, $limit: Int!) {
          repository(owner: $owner, name: $repo) {
            forks(first: $limit, affiliations: [OWNER, COLLABORATOR]) {
              nodes { id name owner { login } url viewerPermission } }
          }
        }""",
        {**REPO, "limit": 1},
        {"repos/acme/app"},
    ),
    "repo view": (
        """query RepositoryInfo($owner: String!, $name: String!) {
          repository(owner: $owner, name: $name) {
            id nameWithOwner description homepageUrl isArchived licenseInfo { key name nickname } pushedAt visibility
            templateRepository { id name owner { id login } } parent { id name owner { id login } }
            watchers { totalCount }
            issues(states: OPEN) { totalCount } pullRequests(states: OPEN) { totalCount }
            codeOfConduct { key name url } contactLinks { about name url } fundingLinks { platform url }
            repositoryTopics(first: 100) { nodes { topic { name } } } primaryLanguage { name }
            languages(first: 100) { edges { size node { name } } } latestRelease { publishedAt tagName name url }
            issueTemplates { name title body about } pullRequestTemplates { body filename }
            labels(first: 100) { nodes { id color name description } } projectsV2(first: 10) { nodes { id title } }
            milestones(first: 100, states: OPEN) { nodes { number title description dueOn } }
            assignableUsers(first: 100) { nodes { id login name } }
            projects(first: 100, states: [OPEN]) { nodes { name } }
            suggestedActors(first: 100, capabilities: CAN_BE_ASSIGNED) { nodes { ... on User { id login name } login } }
          }
        }""",
        {"owner": "acme", "name": "app"},
        {"repos/acme/app"},
    ),
    "last commit": (
        """query LastCommit($owner: String!, $repo: String!) { repository(owner: $owner, name: $repo) {
             defaultBranchRef { target { ... on Commit { oid } } } } }""",
        REPO,
        {"repos/acme/app"},
    ),
    "issue list": (
        """fragment issue on Issue { number title url state updatedAt labels(first: 100) { nodes { id name color } } }
        query IssueList($owner: String!, $repo: String!, $limit: Int, $endCursor: String, $states: [IssueState!] = OPEN,
                        $assignee: String, $author: String, $mention: String) {
          repository(owner: $owner, name: $repo) {
            hasIssuesEnabled
            issues(first: $limit, after: $endCursor, orderBy: {field: CREATED_AT, direction: DESC}, states: $states,
                   filterBy: {assignee: $assignee, createdBy: $author, mentioned: $mention}) {
              totalCount nodes { ...issue } pageInfo { hasNextPage endCursor }
            }
          }
        }""",
        {**REPO, "limit": 30, "states": ["OPEN"]},
        {"repos/acme/app"},
    ),
    "issue view": (
        f"""query IssueByNumber($owner: String!, $repo: String!, $number: Int!) {{
          repository(owner: $owner, name: $repo) {{
            hasIssuesEnabled
            issue: issueOrPullRequest(number: $number) {{
              __typename
              ... on Issue {{ id title number url state stateReason {AUTHORED} isPinned milestone {{ number title }}
                closedByPullRequestsReferences(first: 9) {{ nodes {{ id number url repository {{ name }} }} }}
                linkedBranches(first: 30) {{ nodes {{ ref {{ name repository {{ url }} }} }} }} }}
              ... on PullRequest {{ id title number url }}
            }}
          }}
        }}""",
        {**REPO, "number": 7},
        {"repos/acme/app"},
    ),
    "release list": (
        """query RepositoryReleaseList($owner: String!, $name: String!, $perPage: Int!, $endCursor: String) {
          repository(owner: $owner, name: $name) {
            releases(first: $perPage, orderBy: {field: CREATED_AT, direction: DESC}, after: $endCursor) {
              nodes { name tagName isDraft isLatest isPrerelease createdAt publishedAt }
              pageInfo { hasNextPage endCursor }
            }
          }
        }""",
        {"owner": "acme", "name": "app", "perPage": 30},
        {"repos/acme/app"},
    ),
    "teams": (
        """query OrganizationTeamList($endCursor: String, $owner: String!) {
          organization(login: $owner) {
            teams(first: 100, orderBy: {field: NAME, direction: ASC}, after: $endCursor) {
              nodes { id slug } pageInfo { hasNextPage endCursor }
            }
          }
        }""",
        {"owner": "Acme"},
        {"orgs/acme"},
    ),
    "what the host can do": (
        """query PullRequest_fields {
          PullRequest: __type(name: "PullRequest") { fields(includeDeprecated: true) { name } }
          Contexts: __type(name: "StatusCheckRollupContextConnection") { fields(includeDeprecated: true) { name } }
        }""",
        {},
        {"github"},
    ),
    "who am i": ("query UserCurrent { viewer { login } }", {}, {"user"}),
    "how much is left": ("{ rateLimit { remaining resetAt } __typename }", {}, {"github"}),
    "search everywhere": (
        "query($q: String!) { search(query: $q, type: REPOSITORY, first: 3) { nodes { ... on Repository { name } } } }",
        {"q": "repo:acme/app"},
        {"search"},
    ),
}  # fmt: skip
"""Command -> document, variables, and the resources it must be allowed to read."""

NODE_QUERIES = {
    "more reviews": """query ReviewsForPullRequest($id: ID!, $endCursor: String!) { node(id: $id) { ... on PullRequest {
        reviews(first: 100, after: $endCursor) { nodes { body } pageInfo { hasNextPage endCursor } } } } }""",
    "merge text": """query PullRequestMergeText($id: ID!) { node(id: $id) { ... on PullRequest {
        viewerMergeBodyText(mergeType: SQUASH) viewerMergeHeadlineText(mergeType: SQUASH) } } }""",
}
