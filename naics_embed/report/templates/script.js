(() => {
  const root = document.documentElement;
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const button = document.getElementById('theme');
  let chosen = null;
  const show = () => {
    root.dataset.theme = chosen ?? (dark.matches ? 'dark' : 'light');
    button.textContent = root.dataset.theme === 'dark' ? 'Light theme' : 'Dark theme';
  };
  button.addEventListener('click', () => {
    chosen = root.dataset.theme === 'dark' ? 'light' : 'dark';
    show();
  });
  dark.addEventListener('change', show);
  button.hidden = false;
  show();
})();
