"""What is named by another thing is removed while it is being named. One of the two requests is
refused, or the state of the other thing says what is missing."""
import concurrent.futures
import json

import pytest

from conftest import wait_until

TRIES = 20
NODE = "/v2/clusters/mine/nodes/mine"
# ISO 9660: 16 empty sectors, then a volume descriptor.
ISO = (bytes(16 * 2048) + b"\x01CD001\x01" + bytes(2041) + b"\xffCD001\x01" + bytes(2041))


def send(who, method, path, body=None):
    data = None if body is None else json.dumps(body)
    return who.ask_on_new_connection(method, path, data=data).status_code


def both(take, remove):
    """The statuses of two requests at the same time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return [one.result() for one in [pool.submit(take), pool.submit(remove)]]


def volume_of(admin, cluster, node):
    node_id = admin.get(f"/v2/clusters/{cluster}/nodes/{node}")["node_id"]
    volumes = admin.get(f"/v2/clusters/{cluster}/volumes")["volumes"]
    return next((one for one in volumes if one["node_id"] == node_id), None)


def upload(admin, name):
    stored = admin.ask("PUT", f"/v2/images/demo/{name}?format=iso", data=ISO)
    assert stored.status_code == 201, stored.text


def test_an_iso_is_kept_or_its_absence_is_reported(admin):
    for number in range(TRIES):
        image = f"race-{number}.iso"
        upload(admin, image)
        attached, removed = both(
            lambda: send(admin, "PUT", NODE + "/iso", {"iso_id": "demo/" + image}),
            lambda: send(admin, "DELETE", "/v2/images/demo/" + image))
        assert attached in (200, 404) and removed in (204, 409)
        node = admin.get(NODE)
        assert (node["iso_id"] == "demo/" + image) == (attached == 200)
        if attached == 200 and removed == 204:
            # The node does not start without its ISO, and says why.
            reason = f"waits for image demo/{image}, which does not exist"
            assert send(admin, "POST", NODE + "/power", {"action": "on"}) == 202
            wait_until(lambda: admin.get(NODE)["reason"] == reason, reason)
            assert volume_of(admin, "mine", "mine")["reason"] == reason
            assert not admin.get(NODE)["host_id"]
            assert send(admin, "POST", NODE + "/power", {"action": "off"}) == 202
        assert send(admin, "DELETE", NODE + "/iso") == 200
        if removed != 204:
            assert send(admin, "DELETE", "/v2/images/demo/" + image) == 204, "nothing uses it"


def test_an_image_can_be_removed_right_after_the_last_cluster_that_uses_it(admin):
    for number in range(TRIES):
        image = f"last-{number}.iso"
        upload(admin, image)
        assert send(admin, "POST", "/v2/clusters",
                    {"cluster_id": f"last-{number}", "image_id": "demo/" + image}) == 201
        assert send(admin, "DELETE", "/v2/images/demo/" + image) == 409
        assert send(admin, "DELETE", f"/v2/clusters/last-{number}") == 204
        assert send(admin, "DELETE", "/v2/images/demo/" + image) == 204


def test_a_clusters_image_is_kept_or_its_absence_is_reported(admin):
    for number in range(TRIES):
        image, cluster = f"disk-{number}.iso", f"disk-{number}"
        upload(admin, image)
        created, removed = both(
            lambda: send(admin, "POST", "/v2/clusters",
                         {"cluster_id": cluster, "image_id": "demo/" + image}),
            lambda: send(admin, "DELETE", "/v2/images/demo/" + image))
        assert created == 201 and removed in (204, 409)
        if removed == 204:
            wait_until(lambda: (volume_of(admin, cluster, cluster) or {}).get("reason") ==
                       f"waits for image demo/{image}, which does not exist", "the reason")
        assert send(admin, "DELETE", "/v2/clusters/" + cluster) == 204


def test_a_project_is_kept_with_its_cluster_or_removed_without(operator):
    for number in range(TRIES):
        project, cluster = f"p-{number}", f"in-p-{number}"
        assert send(operator, "PUT", "/v2/projects/" + project) == 200
        created, removed = both(
            lambda: send(operator, "POST", "/v2/clusters",
                         {"cluster_id": cluster, "project_id": project}),
            lambda: send(operator, "DELETE", "/v2/projects/" + project))
        assert sorted([created, removed]) in ([201, 409], [204, 404])
        names = [one["project_id"] for one in operator.get("/v2/projects?limit=1000")["projects"]]
        assert (project in names) == (created == 201)


def test_no_person_is_in_a_project_that_was_removed(operator):
    for number in range(TRIES):
        project, person = f"q-{number}", f"of-q-{number}"
        assert send(operator, "PUT", "/v2/projects/" + project) == 200
        defined, removed = both(
            lambda: send(operator, "PUT", "/v2/people/" + person, {"projects": [project]}),
            lambda: send(operator, "DELETE", "/v2/projects/" + project))
        assert removed == 204 and defined in (200, 404)
        if defined == 200:
            assert operator.get("/v2/people/" + person)["projects"] == []


@pytest.mark.parametrize("what", ["cluster", "node"])
def test_no_computeset_goes_on_with_what_was_removed(admin, what):
    for number in range(TRIES):
        cluster = f"set-{what}-{number}"
        path = "/v2/clusters/" + cluster
        assert send(admin, "POST", "/v2/clusters",
                    {"cluster_id": cluster, "compute_count": 1}) == 201
        target = path if what == "cluster" else path + f"/nodes/vm-{cluster}-00"
        started, removed = both(
            lambda: send(admin, "POST", "/v2/computesets", {"cluster_id": cluster, "count": 1}),
            lambda: send(admin, "DELETE", target))
        assert removed == 204 and (started == 201 or 400 <= started < 500), started
        wait_until(lambda: not [
            one for one in admin.get("/v2/computesets?limit=1000")["computesets"]
            if one["cluster_id"] == cluster and one["state"] not in ("cancelled", "completed")],
            "the end of its computeset")
