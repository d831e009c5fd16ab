"""What Kubernetes is given, made of what there is already: docker-compose.yml, the Dockerfile and the registry.

`python -m deploy.manifests` writes `deploy/kubernetes` and `deploy/helm`; nothing in them is edited by hand.
"""
