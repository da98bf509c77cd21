"""Take the pictures of pages in ``docs/images`` with a headless Chromium.

Each page is named by its address; what is not named is left as it is. No text of the Census Bureau
is on a picture: the report ends above its errors in words, the search page has no evidence.
"""

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from naics_embed.artifacts import atomic_file

IMAGES = Path(__file__).resolve().parent / 'images'
FLAGS = (
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--hide-scrollbars',
)
PATIENCE_S = 300
COLOURS = 256
QUERY = 'we groom dogs and cats at home'
CODE = '7225'
METRICS = '^test/hybrid_(plain_top1|plain_mrr|panel_top1)$'


class Camera:
    """A browser, and the folder that its pictures go to."""

    def __init__(self, profile: str, folder: Path) -> None:
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS, f'--user-data-dir={profile}'):
            options.add_argument(flag)
        options.binary_location = found('chromium')
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(found('chromedriver')))
        self.driver.set_page_load_timeout(PATIENCE_S)
        self.folder = folder

    def open(self, address: str, size: tuple[int, int], theme: str) -> None:
        """Show a page in a window of ``size`` pixels, on a machine that prefers a theme."""
        width, height = size
        metrics = {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': False}
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
        wanted = [{'name': 'prefers-color-scheme', 'value': theme}]
        self.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': wanted})
        self.driver.get('about:blank')
        self.driver.get(address)

    def wait(self, script: str) -> None:
        """Wait until a script's value is true."""
        WebDriverWait(self.driver, PATIENCE_S).until(
            lambda driver: driver.execute_script(f'return {script}')
        )

    def take(self, name: str, *, palette: bool = True) -> None:
        """Write what is seen; a palette makes a third of it, where single colours say nothing."""
        seen = Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert('RGB')
        if palette:
            seen = seen.quantize(COLOURS, dither=Image.Dither.NONE)
        with atomic_file(self.folder / f'{name}.png') as temporary:
            seen.save(temporary, format='PNG', optimize=True)
        sys.stdout.write(f'{self.folder / name}.png\n')


def found(program: str) -> str:
    """Return the path of a program. Selenium itself would look for it on the network."""
    path = shutil.which(program)
    if path is None:
        raise SystemExit(f'{program} is not installed')
    return path


def report(camera: Camera, address: str) -> None:
    """The beginning of a report, in both themes."""
    for theme in ('light', 'dark'):
        camera.open(address, (1360, 1870), theme)
        camera.take(f'report_{theme}')


def atlas(camera: Camera, address: str) -> None:
    """The whole map with its edges, and the surroundings of a code."""
    camera.open(address, (1280, 800), 'light')
    camera.wait('!!window.naicsMap')
    camera.driver.find_element(By.ID, 'edges').click()
    camera.take('map_light', palette=False)
    camera.open(f'{address}#{CODE}', (1280, 800), 'dark')
    camera.wait('naicsMap.state.selected >= 0 && !naicsMap.view.flying')
    camera.driver.find_element(By.ID, 'edges').click()
    camera.take('map_dark', palette=False)


def search(camera: Camera, address: str) -> None:
    """The search page with an answer, in both themes."""
    for theme in ('light', 'dark'):
        # So narrow that no card with its definition stands beside.
        camera.open(address, (940, 640), theme)
        camera.driver.find_element(By.ID, 'query').send_keys(QUERY, Keys.ENTER)
        camera.wait("document.querySelectorAll('#hits > li').length >= 5")
        hide = "document.querySelectorAll('.evidence').forEach((one) => { one.hidden = true; })"
        camera.driver.execute_script(hide)
        camera.take(f'search_{theme}')


def prefect(camera: Camera, address: str) -> None:
    """A flow run in Prefect's pages."""
    camera.open(address, (1500, 760), 'dark')
    camera.wait("document.body.innerText.includes('Task Runs')")
    camera.wait("!!document.querySelector('canvas')")
    settle(camera)
    camera.take('prefect_run')


def mlflow(camera: Camera, address: str) -> None:
    """Runs beside each other in the charts of MLflow's experiment page."""
    camera.open(address, (1500, 760), 'light')
    box = 'input[placeholder="Search metric charts"]'
    camera.wait(f"!!document.querySelector('{box}')")
    close = "document.querySelector('button[aria-label=Close]')?.click()"
    camera.driver.execute_script(close)
    camera.driver.find_element(By.CSS_SELECTOR, box).send_keys(METRICS)
    camera.wait("!!document.querySelector('.js-plotly-plot')")
    settle(camera)
    camera.take('mlflow_compare')


def settle(camera: Camera, seconds: float = 10) -> None:
    """Give a page of somebody else's the time to draw what it fetched."""
    camera.driver.set_script_timeout(PATIENCE_S)
    camera.driver.execute_async_script('setTimeout(arguments[1], arguments[0])', 1000 * seconds)


PAGES: dict[str, Callable[[Camera, str], None]] = {
    'report': report,
    'map': atlas,
    'search': search,
    'prefect': prefect,
    'mlflow': mlflow,
}


def main() -> None:
    """Take the pictures of the pages that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--report', help='file:// address of a report.html')
    parser.add_argument('--map', help='file:// address of an atlas.html')
    parser.add_argument('--search', help='address of naics-embed serve')
    parser.add_argument('--prefect', help="address of a flow run in Prefect's UI")
    parser.add_argument('--mlflow', help="address of an experiment's charts in MLflow's UI")
    parser.add_argument('--folder', type=Path, default=IMAGES, help='where the pictures go')
    chosen = vars(parser.parse_args())
    chosen['folder'].mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        camera = Camera(profile, chosen['folder'])
        try:
            for name, shoot in PAGES.items():
                if chosen[name]:
                    shoot(camera, chosen[name])
        finally:
            camera.driver.quit()


if __name__ == '__main__':
    main()
