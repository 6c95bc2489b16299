"""The inspectors' desk (监察员工作台): findings as acts, in the browser. Pages are made on the server; forms need no script."""
