import os
import subprocess
import sys


def test_nothing_is_reported_to_anybody(tmp_path):
    """openvino's reports leave a count of themselves in the home folder."""
    variables = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    script = "import emotion.openvino_runtime, sys; print(sys.modules['openvino_telemetry'])"
    command = [sys.executable, "-c", script]
    result = subprocess.run(
        command, env=variables | {"HOME": str(tmp_path)}, check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "None"
    assert list(tmp_path.iterdir()) == []
