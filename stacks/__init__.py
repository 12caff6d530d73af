"""The CDK side: three stacks and their constructs. A stack composes, a construct builds."""
